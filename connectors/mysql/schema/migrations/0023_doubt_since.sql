ALTER TABLE `scheduled_messages` ADD COLUMN `doubt_since` bigint COMMENT 'epoch ms, when the first attempt began that may have been accepted';
