ALTER TABLE `account_states` ADD COLUMN `kept_at` timestamp(6) NULL COMMENT 'when a person last kept back what was suspended: rows that were not written since stay suspended', ALGORITHM=INSTANT;
