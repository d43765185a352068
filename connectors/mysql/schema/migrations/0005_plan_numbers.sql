ALTER TABLE `scheduled_messages`
	MODIFY COLUMN `account` varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
	MODIFY COLUMN `channel` varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
	MODIFY COLUMN `dedupe_key` varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin,
	ADD COLUMN `plan_number` int unsigned NOT NULL DEFAULT 1 COMMENT 'part of the idempotency key: +1 at an edit or redrive of a row that is not in doubt' AFTER `attempts`,
	ADD COLUMN `first_attempt_at` bigint COMMENT 'epoch ms, when the first attempt of this plan that reached the network ended' AFTER `plan_number`,
	ADD COLUMN `scheduled_hash` binary(16) COMMENT 'of what was scheduled under the dedupe key' AFTER `dedupe_key`,
	ADD COLUMN `needs_person` tinyint GENERATED ALWAYS AS (CASE `state` WHEN 'failed' THEN 1 WHEN 'uncertain' THEN 2 END) VIRTUAL AFTER `open`,
	ADD KEY `needs_person` (`needs_person`, `channel`),
	ADD CONSTRAINT `due_at_between_2000_and_2100` CHECK (`due_at` BETWEEN 946684800000 AND 4102444800000);
