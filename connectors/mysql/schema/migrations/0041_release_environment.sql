ALTER TABLE `releases`
	ADD COLUMN `environment` varchar(40) COMMENT 'whose overrides the specification has; empty: topology.yaml alone; NULL: not known, from before this was kept',
	ALGORITHM=INSTANT;
