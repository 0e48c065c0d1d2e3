/**
 * Loaded before a program (`node --import`): its wall clock is off by the milliseconds in the file that
 * TEST_CLOCK_FILE names, read again and again, as if an operator set the machine's clock.
 */
import { readFileSync } from 'node:fs';

const file = process.env.TEST_CLOCK_FILE;
const wall = Date.now.bind(Date);
let offset = 0;

function look() {
  try {
    offset = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    offset = 0;
  }
}

look();
setInterval(look, 20).unref();
Date.now = () => wall() + offset;
