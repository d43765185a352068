ALTER TABLE `scheduled_messages` ADD KEY `suspended_by_due` (`suspended`, `channel`, `account`, `due_at`), ALGORITHM=INPLACE, LOCK=NONE;
