CREATE TABLE IF NOT EXISTS `workers` (
	`session` binary(16) NOT NULL,
	`components` json NOT NULL,
	`host` varchar(255) NOT NULL,
	`pid` int unsigned NOT NULL,
	`version` varchar(64) NOT NULL,
	`status_url` varchar(255),
	`started_at` bigint NOT NULL COMMENT 'epoch ms',
	`lease_until` bigint NOT NULL COMMENT 'epoch ms',
	`dead` tinyint NOT NULL DEFAULT 0 COMMENT 'for ever',
	`left_at` bigint COMMENT 'epoch ms, when it stopped in good order',
	`report` json,
	PRIMARY KEY (`session`)
) DEFAULT CHARSET=utf8mb4;
