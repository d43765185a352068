CREATE TABLE IF NOT EXISTS `deployment` (
	`id` binary(16) NOT NULL COMMENT 'random',
	`kafka_cluster` varchar(255),
	`namespace` varchar(64),
	`adopted_at` bigint COMMENT 'epoch ms',
	PRIMARY KEY (`id`)
) DEFAULT CHARSET=utf8mb4;
