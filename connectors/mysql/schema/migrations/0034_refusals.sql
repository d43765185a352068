ALTER TABLE `account_refreshes` ADD COLUMN `refusals` tinyint unsigned NOT NULL DEFAULT 0 COMMENT 'how often since the last refresh the provider has refused', ALGORITHM=INSTANT;
