CREATE TABLE IF NOT EXISTS `deploy_lock` (
	`id` tinyint NOT NULL,
	`holder` binary(16) NOT NULL,
	`who` varchar(255) NOT NULL,
	`host` varchar(255) NOT NULL,
	`doing` varchar(255) NOT NULL,
	`since` bigint NOT NULL COMMENT 'epoch ms',
	`lease_until` bigint NOT NULL COMMENT 'epoch ms',
	PRIMARY KEY (`id`)
) DEFAULT CHARSET=utf8mb4;
