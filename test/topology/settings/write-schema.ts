import { writeFileSync } from 'node:fs';
import { schemaFile, schemaText } from './schema-text';

/** `npm run schema` */
writeFileSync(schemaFile, schemaText());
