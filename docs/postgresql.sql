-- Sets up a database for the catalog of a volman cluster, with three roles:
--
--   volman_owner   owns the schema; `volman migrate` runs as it, by hand, and nothing else does
--   volman         the daemons of all hosts: rows only, no schema
--   volman_report  people and tools that ask questions: the views of docs/reporting.md, and nothing else. `volman migrate` lets it read them
--
-- Run it once as a superuser, with passwords of your own (psql reads them from its variables, they stay out of this file):
--
--   psql -v owner_password=… -v daemon_password=… -v report_password=… -f docs/postgresql.sql
--
-- and then, on one host:  volman migrate --database 'Host=db;Database=volman;Username=volman_owner;Password=…'
\set ON_ERROR_STOP on
CREATE ROLE volman_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE volman LOGIN PASSWORD :'daemon_password';
CREATE ROLE volman_report LOGIN PASSWORD :'report_password';
CREATE DATABASE volman OWNER volman_owner;
\connect volman
-- Old versions of the rows that all hosts write can only be cleared away when no transaction is left that might still look at them.
ALTER ROLE volman_report SET statement_timeout = '5min';
ALTER ROLE volman_report SET idle_in_transaction_session_timeout = '1min';
-- To compile a question of a second takes longer than to answer it.
ALTER ROLE volman_report SET jit = off;
-- What is summed of all volumes stays in memory.
ALTER ROLE volman_report SET work_mem = '64MB';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO volman_owner;
GRANT USAGE ON SCHEMA public TO volman, volman_report;
-- For all that migrations make, now and later.
ALTER DEFAULT PRIVILEGES FOR ROLE volman_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO volman;
ALTER DEFAULT PRIVILEGES FOR ROLE volman_owner IN SCHEMA public GRANT USAGE ON SEQUENCES TO volman;
