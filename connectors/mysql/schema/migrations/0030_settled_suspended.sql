ALTER TABLE `delivery_attempts` MODIFY COLUMN `settled` enum('delivered','failed','uncertain','scheduled','suspended') NOT NULL COMMENT 'what the attempt meant for the message', ALGORITHM=INSTANT;
