ALTER TABLE `delivery_attempts` MODIFY COLUMN `outcome` enum('delivered','retry','rejected','unknown','postponed','unusable') NOT NULL;
