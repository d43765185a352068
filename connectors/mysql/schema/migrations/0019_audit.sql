CREATE TABLE IF NOT EXISTS `audit` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`at` bigint NOT NULL COMMENT 'epoch ms',
	`who` varchar(255) NOT NULL,
	`host` varchar(255) NOT NULL,
	`verb` varchar(64) NOT NULL,
	`subject` varchar(255) NOT NULL,
	`value_before` json,
	`value_after` json,
	`outcome` varchar(1024) NOT NULL,
	PRIMARY KEY (`id`),
	KEY `audit_at` (`at`)
) DEFAULT CHARSET=utf8mb4;
