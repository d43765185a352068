CREATE TABLE IF NOT EXISTS `releases` (
	`number` int unsigned AUTO_INCREMENT NOT NULL,
	`specification` json NOT NULL,
	`package_version` varchar(64) NOT NULL,
	`image` varchar(255),
	`program` varchar(1024),
	`target` enum('local','compose','kubernetes') NOT NULL,
	`reason` varchar(255) NOT NULL,
	`who` varchar(255) NOT NULL,
	`host` varchar(255) NOT NULL,
	`created_at` bigint NOT NULL COMMENT 'epoch ms',
	`outcome` enum('deploying','live','superseded','failed','rolled_back') NOT NULL DEFAULT 'deploying',
	`ended_at` bigint COMMENT 'epoch ms',
	`detail` varchar(1024),
	PRIMARY KEY (`number`)
) DEFAULT CHARSET=utf8mb4;
