-- Who has asked for what is owed. An addition: version 5 can use the file, and leaves it empty.

ALTER TABLE tasks ADD COLUMN client TEXT;
