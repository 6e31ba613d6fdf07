/** How the sandbox begins native programs. Tests put another way in its place (`test/starter`), which is cheaper for large processes. */
export { spawn } from 'node:child_process';
