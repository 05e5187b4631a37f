-- Roles, database and extensions. Run by a superuser through psql, connected to any database; safe to repeat.
-- Variables: database; owner_password and app_password where roles sign in with one; owner_may_create_databases
-- where test runs copy the database. What the application role may do is granted by the first migration.

SELECT 'CREATE ROLE agentops_owner' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentops_owner') \gexec
SELECT 'CREATE ROLE agentops_app' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'agentops_app') \gexec

ALTER ROLE agentops_owner LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
ALTER ROLE agentops_app LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB NOREPLICATION NOBYPASSRLS;
\if :{?owner_may_create_databases}
    ALTER ROLE agentops_owner CREATEDB;
\endif
\if :{?owner_password}
    ALTER ROLE agentops_owner PASSWORD :'owner_password';
    ALTER ROLE agentops_app PASSWORD :'app_password';
\endif

SELECT format('CREATE DATABASE %I OWNER agentops_owner', :'database')
    WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
ALTER DATABASE :"database" OWNER TO agentops_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO agentops_app;

\connect :"database"

ALTER SCHEMA public OWNER TO agentops_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SELECT format('CREATE EXTENSION IF NOT EXISTS %I', name)
    FROM pg_available_extensions WHERE name IN ('pg_trgm', 'vector') \gexec
