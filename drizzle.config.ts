import { defineConfig } from 'drizzle-kit';

/** For `npx drizzle-kit generate`; read what it writes: it knows neither ON UPDATE nor one statement per file. */
export default defineConfig({
  dialect: 'mysql',
  schema: './connectors/mysql/schema/schema.ts',
  out: './connectors/mysql/schema/migrations',
  casing: 'snake_case',
});
