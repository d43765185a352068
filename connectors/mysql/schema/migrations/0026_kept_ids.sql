CREATE TABLE IF NOT EXISTS `kept_ids` (
	`message_id` bigint unsigned NOT NULL,
	`plan_number` int unsigned NOT NULL COMMENT 'ids of an earlier plan are not used',
	`content_hash` binary(32) NOT NULL COMMENT 'of the payload for which they were made',
	`ids` varchar(2048) NOT NULL COMMENT 'JSON: what a provider gave before anybody can see the message',
	`kept_at` bigint NOT NULL COMMENT 'epoch ms',
	PRIMARY KEY (`message_id`)
) DEFAULT CHARSET=utf8mb4;
