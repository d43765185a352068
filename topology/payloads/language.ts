import { z } from 'zod';
import { fields } from './payload-field';

/** The language of a post, where a provider is told it: `en`, `pt-BR`. */
export const language = z
  .string()
  .regex(/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})?$/, 'expected a language such as en or pt-BR')
  .optional()
  .register(fields, {
    option: 'language',
    placeholder: 'code',
    takes: 'text',
    description: 'its language: en, pt-BR',
  });
