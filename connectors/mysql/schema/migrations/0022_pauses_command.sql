ALTER TABLE `pauses`
	ADD COLUMN `command` varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL DEFAULT '' COMMENT 'kill or deploy, which ends its own; empty: a person''s',
	DROP PRIMARY KEY,
	ADD PRIMARY KEY (`channel`, `account`, `command`);
