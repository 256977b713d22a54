/** The linter: promises are handled, types are honest, imports stay in their rooms. */
import eslint from "@eslint/js";
import tseslint from "typescript-eslint";

/** What a folder may not import; the whole house is checked by test/architecture.test.ts. */
const noImports = (files, patterns) => ({
  files,
  rules: { "no-restricted-imports": ["error", { patterns }] },
});

export default tseslint.config(
  { ignores: ["dist/", "bench/dist/", "test-results/", "coverage/"] },
  eslint.configs.recommended,
  tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        projectService: { allowDefaultProject: ["*.js", "test/fixtures/*.mjs"] },
      },
    },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      eqeqeq: "error",
      "no-shadow": "error",
      "@typescript-eslint/no-import-type-side-effects": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      // An async function that happens not to wait keeps its signature: it rejects, never throws.
      "@typescript-eslint/require-await": "off",
      // What a session failed with is handed on as it came.
      "@typescript-eslint/prefer-promise-reject-errors": ["error", { allowThrowingUnknown: true }],
      // A constructor's parameters go through String() in messages for people.
      "@typescript-eslint/restrict-template-expressions": "off",
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_" },
      ],
    },
  },
  noImports(["client/**"], [{ group: ["node:*"], message: "The client runs in browsers too." }]),
  noImports(
    ["server/{hub,leases,subscription,check,errors,contract,limits}.ts", "server/store/**"],
    [{ group: ["hono*", "@hono/*", "ws", "capnweb"], message: "Only the transports know these." }],
  ),
  {
    files: ["test/**"],
    rules: {
      "@typescript-eslint/unbound-method": "off", // helpers are closures, made to be taken apart
      "@typescript-eslint/no-unsafe-assignment": "off", // `expect.objectContaining` is any
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: {
      globals: { process: "readonly", setImmediate: "readonly", globalThis: "readonly" },
    },
  },
);
