ALTER TABLE `scheduled_messages` ADD COLUMN `suspended` tinyint GENERATED ALWAYS AS (IF(`state` = 'suspended', 1, NULL)) VIRTUAL, ALGORITHM=INSTANT;
