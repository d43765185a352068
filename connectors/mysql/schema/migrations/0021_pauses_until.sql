ALTER TABLE `pauses` ADD COLUMN `until_at` bigint COMMENT 'epoch ms, when it ends by itself';
