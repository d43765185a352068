CREATE TABLE IF NOT EXISTS `accounts` (
	`account` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	`channel` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
	`secret` varbinary(1024) NOT NULL COMMENT 'AES-256-GCM',
	`updated_at` timestamp(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
	PRIMARY KEY (`account`, `channel`)
) DEFAULT CHARSET=utf8mb4;
