CREATE TABLE IF NOT EXISTS `account_limits` (
	`channel` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
	`account` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL COMMENT 'empty: all accounts of the channel together',
	`used` json COMMENT 'requests that were allowed, by the length of a rate and the slice of time',
	`held_until` bigint NOT NULL DEFAULT 0 COMMENT 'epoch ms: until then the provider takes nothing, as it said',
	`gate_until` bigint NOT NULL DEFAULT 0 COMMENT 'epoch ms: until then spouts emit nothing of it',
	`changed_at` bigint NOT NULL COMMENT 'epoch ms',
	PRIMARY KEY (`channel`, `account`),
	KEY `by_gate` (`gate_until`),
	KEY `by_change` (`changed_at`)
) DEFAULT CHARSET=utf8mb4;
