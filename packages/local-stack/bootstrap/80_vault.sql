-- Hosted projects have Vault from the start: the CLI writes [db.vault] secrets before the first migration.
create schema vault;
create extension supabase_vault with schema vault;
