ALTER TABLE `scheduled_messages` ADD COLUMN `late_kind` tinyint GENERATED ALWAYS AS (CASE WHEN `state` = 'late' THEN 1 WHEN `state` = 'failed' AND `late` = 1 THEN 2 END) VIRTUAL, ALGORITHM=INSTANT;
