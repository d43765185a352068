ALTER TABLE `scheduled_messages` ADD KEY `late_by_due` (`late_kind`, `channel`, `account`, `due_at`), ALGORITHM=INPLACE, LOCK=NONE;
