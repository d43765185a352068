ALTER TABLE `scheduled_messages` ADD COLUMN `plan_version` int unsigned NOT NULL DEFAULT 1 COMMENT 'the version with which the plan number began';
