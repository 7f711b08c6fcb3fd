// What the compiler does not say: names nobody uses, promises nobody waits for.
import svelte from "eslint-plugin-svelte";
import globals from "globals";
import typescript from "typescript-eslint";
import svelteConfig from "./svelte.config.js";

export default typescript.config(
  { ignores: ["src/lib/openapi.d.ts", "dist/", "*.js"] },
  ...typescript.configs.recommended,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: globals.browser,
      parserOptions: { projectService: true, extraFileExtensions: [".svelte"], parser: typescript.parser, svelteConfig },
    },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // Maps and sets that nothing on the page depends on stay plain: reactive ones cost at every read.
      "svelte/prefer-svelte-reactivity": "off",
    },
  },
);
