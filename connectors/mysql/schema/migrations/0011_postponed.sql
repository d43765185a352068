ALTER TABLE `delivery_attempts` MODIFY COLUMN `outcome` enum('delivered','retry','rejected','unknown','postponed') NOT NULL;
