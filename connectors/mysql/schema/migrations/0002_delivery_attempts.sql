CREATE TABLE IF NOT EXISTS `delivery_attempts` (
	`id` bigint unsigned AUTO_INCREMENT NOT NULL,
	`message_id` bigint unsigned NOT NULL,
	`version` int unsigned NOT NULL,
	`session` binary(16) NOT NULL,
	`wake_at` bigint NOT NULL COMMENT 'epoch ms, of this attempt',
	`content_hash` binary(32) NOT NULL COMMENT 'SHA-256 of the payload text',
	`started_at` bigint COMMENT 'epoch ms; NULL when no request was made',
	`finished_at` bigint NOT NULL COMMENT 'epoch ms',
	`outcome` enum('delivered','retry','rejected','unknown') NOT NULL,
	`status` smallint unsigned,
	`error` varchar(1024),
	`receipt` varchar(512),
	`settled` enum('delivered','failed','uncertain','scheduled') NOT NULL COMMENT 'what the attempt meant for the message',
	`recorded_at` timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
	PRIMARY KEY (`id`),
	UNIQUE KEY `attempt` (`message_id`, `version`, `session`)
) DEFAULT CHARSET=utf8mb4;
