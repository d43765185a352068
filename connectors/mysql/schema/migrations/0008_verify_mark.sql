CREATE TABLE IF NOT EXISTS `verify_mark` (
	`id` tinyint NOT NULL COMMENT 'always 1',
	`message_id` bigint unsigned NOT NULL,
	`attempt_id` bigint unsigned NOT NULL,
	`verified_at` bigint NOT NULL COMMENT 'epoch ms',
	PRIMARY KEY (`id`)
) DEFAULT CHARSET=utf8mb4;
