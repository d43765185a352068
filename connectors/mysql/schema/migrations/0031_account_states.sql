CREATE TABLE IF NOT EXISTS `account_states` (
	`account` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
	`channel` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
	`generation` int unsigned NOT NULL DEFAULT 0 COMMENT 'of its credentials: +1 whenever a person says anew what is to be used',
	`state` enum('usable','resuming','unusable','disabled') NOT NULL DEFAULT 'usable',
	`since` bigint COMMENT 'epoch ms',
	`reason` varchar(1024),
	PRIMARY KEY (`account`, `channel`),
	KEY `by_state` (`state`)
) DEFAULT CHARSET=utf8mb4;
