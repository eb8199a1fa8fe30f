-- A store as the first version of the review store wrote it (format 1): four decisions, one operation, one note.
BEGIN TRANSACTION;
CREATE TABLE decisions (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	time VARCHAR(40) NOT NULL, 
	hash VARCHAR(128) NOT NULL, 
	label TEXT NOT NULL, 
	verdict VARCHAR(8) NOT NULL, 
	"before" SMALLINT NOT NULL, 
	suggested SMALLINT, 
	doubt FLOAT, 
	run TEXT NOT NULL, 
	reviewer TEXT NOT NULL, 
	seconds FLOAT, 
	client VARCHAR(200) NOT NULL, 
	seq BIGINT NOT NULL, 
	undoes INTEGER, 
	blind BOOLEAN NOT NULL, 
	settles BOOLEAN NOT NULL, 
	source VARCHAR(16) NOT NULL, 
	UNIQUE (client, seq)
);
INSERT INTO "decisions" VALUES(1,'2026-11-20T17:30:00.000000+00:00','aaaaaaaaaaaaaaaa','sea','yes',0,1,0.5,'r','ann',1.5,'tab-1',1,NULL,0,0,'card');
INSERT INTO "decisions" VALUES(2,'2026-11-20T17:30:00.000000+00:00','bbbbbbbbbbbbbbbb','beach; ''x'' 猫','no',0,1,0.5,'r','bob',1.5,'tab-2',1,NULL,1,0,'card');
INSERT INTO "decisions" VALUES(3,'2026-11-20T17:30:00.000000+00:00','aaaaaaaaaaaaaaaa','sea','undo',0,1,0.5,'r','ann',1.5,'tab-1',2,1,0,0,'card');
INSERT INTO "decisions" VALUES(4,'2026-11-20T17:30:00.000000+00:00','aaaaaaaaaaaaaaaa','sea','no',0,1,0.5,'r','ann',1.5,'tab-1',3,NULL,0,1,'grid');
CREATE TABLE label_operations (
	id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, 
	time VARCHAR(40) NOT NULL, 
	kind VARCHAR(8) NOT NULL, 
	label TEXT NOT NULL, 
	target TEXT, 
	reviewer TEXT NOT NULL, 
	client VARCHAR(200) NOT NULL, 
	seq BIGINT NOT NULL, 
	undoes INTEGER, 
	"after" INTEGER NOT NULL, 
	UNIQUE (client, seq)
);
INSERT INTO "label_operations" VALUES(1,'2026-11-20T17:30:00.000000+00:00','rename','sea','ocean','ann','tab-1',1,NULL,4);
CREATE TABLE leases (
	hash VARCHAR(128) NOT NULL, 
	label TEXT NOT NULL, 
	client VARCHAR(200) NOT NULL, 
	expires FLOAT NOT NULL, 
	PRIMARY KEY (hash, label)
);
INSERT INTO "leases" VALUES('cccccccccccccccc','sea','tab-1',1795195890.0);
CREATE TABLE notes (
	"key" VARCHAR(200) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "notes" VALUES('api_token','token of before');
CREATE TABLE tagger_meta (
	"key" VARCHAR(64) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "tagger_meta" VALUES('version','1');
CREATE INDEX decisions_by_hash ON decisions (hash, id);
CREATE INDEX ix_leases_client ON leases (client);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('decisions',4);
INSERT INTO "sqlite_sequence" VALUES('label_operations',1);
COMMIT;
