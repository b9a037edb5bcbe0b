-- Run once by PostgreSQL's image, when its volume is empty: the database and roles of docs/postgresql.sql, with the passwords of the secret files.
\set owner_password `cat /run/secrets/owner-password`
\set daemon_password `cat /run/secrets/daemon-password`
\set report_password `cat /run/secrets/report-password`
\i /etc/volman/postgresql.sql
