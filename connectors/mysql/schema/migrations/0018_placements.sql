CREATE TABLE IF NOT EXISTS `placements` (
	`component` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
	`replica` smallint unsigned NOT NULL,
	`release_number` int unsigned NOT NULL,
	`restarts` int unsigned NOT NULL DEFAULT 0,
	`supervisor` binary(16),
	`observed` json,
	`observed_at` bigint COMMENT 'epoch ms',
	PRIMARY KEY (`component`, `replica`)
) DEFAULT CHARSET=utf8mb4;
