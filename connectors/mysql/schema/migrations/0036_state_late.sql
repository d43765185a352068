ALTER TABLE `scheduled_messages` MODIFY COLUMN `state` enum('scheduled','sending','delivered','failed','canceled','uncertain','suspended','late') NOT NULL DEFAULT 'scheduled', ALGORITHM=INSTANT;
