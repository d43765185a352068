ALTER TABLE `scheduled_messages`
	ADD COLUMN `send_within` int unsigned COMMENT 'ms after due_at in which it may be sent; NULL: as its channel says',
	ADD COLUMN `on_late` enum('send','skip','suspend') COMMENT 'what happens to it afterwards; NULL: as its channel says',
	ADD COLUMN `late_from` bigint COMMENT 'epoch ms, when a person had it sent again; its time begins then at the earliest',
	ADD COLUMN `late` tinyint NOT NULL DEFAULT 0 COMMENT '1: it failed because it was not sent in time',
	ALGORITHM=INSTANT;
