CREATE TABLE IF NOT EXISTS `supervisors` (
	`id` binary(16) NOT NULL,
	`host` varchar(255) NOT NULL,
	`pid` int unsigned NOT NULL,
	`version` varchar(64) NOT NULL,
	`started_at` bigint NOT NULL COMMENT 'epoch ms',
	`lease_until` bigint NOT NULL COMMENT 'epoch ms',
	`left_at` bigint COMMENT 'epoch ms',
	PRIMARY KEY (`id`)
) DEFAULT CHARSET=utf8mb4;
