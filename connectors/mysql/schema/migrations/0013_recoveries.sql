ALTER TABLE `scheduled_messages` ADD COLUMN `recoveries` tinyint unsigned NOT NULL DEFAULT 0 COMMENT 'workers that ended in a row while they had it claimed, since the last outcome';
