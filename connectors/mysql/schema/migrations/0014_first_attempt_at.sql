ALTER TABLE `scheduled_messages` MODIFY COLUMN `first_attempt_at` bigint COMMENT 'epoch ms, when the first attempt of this plan began';
