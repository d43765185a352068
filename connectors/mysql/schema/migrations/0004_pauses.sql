CREATE TABLE IF NOT EXISTS `pauses` (
	`channel` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	`account` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '' COMMENT 'empty: the whole channel',
	`paused_at` bigint NOT NULL COMMENT 'epoch ms',
	PRIMARY KEY (`channel`, `account`)
) DEFAULT CHARSET=utf8mb4;
