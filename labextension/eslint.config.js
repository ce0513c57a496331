import js from '@eslint/js';
import prettier from 'eslint-config-prettier';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib', 'node_modules'] },
  js.configs.recommended,
  { files: ['style/*.js'], languageOptions: { sourceType: 'module' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.test.json', tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      // a cast says "believe me"; what the kernel sends is parsed instead
      '@typescript-eslint/consistent-type-assertions': ['error', { assertionStyle: 'never' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      // a Lumino signal takes the method and its `this` as two arguments
      '@typescript-eslint/unbound-method': 'off',
      eqeqeq: 'error'
    }
  },
  {
    // index.ts wires; the rest can be read and tested without an application
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    ignores: ['src/index.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [
            { name: '@jupyterlab/application', message: 'Only index.ts knows the application.' }
          ]
        }
      ]
    }
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['src/index.ts'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [
            { name: '@jupyterlab/application', message: 'Only index.ts knows the application.' },
            { name: 'react', message: 'Only *.tsx draw.' }
          ]
        }
      ]
    }
  },
  {
    // the examples of the contract come from JSON.parse; what they are is what is tested
    files: ['tests/**/*.ts', 'tests/**/*.tsx'],
    rules: { '@typescript-eslint/no-unsafe-assignment': 'off' }
  },
  prettier
);
