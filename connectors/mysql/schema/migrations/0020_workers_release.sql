ALTER TABLE `workers`
	ADD COLUMN `release_number` int unsigned,
	ADD COLUMN `replica` smallint unsigned,
	ADD COLUMN `supervisor` binary(16);
