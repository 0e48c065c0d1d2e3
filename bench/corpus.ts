/**
 * Owns the danmaku a load says: made from a seed out of phrases viewers use, Chinese and English,
 * short and long, so that they compress like talk and seldom repeat within a tick.
 */
import { seededRandom, type Random } from '../src/random.js';

const openers = (
  '哈哈哈哈 啊啊啊 前方高能 主播 这波 说真的 来了来了 打卡 第一次看直播 这个操作 弹幕护体 不是吧 终于等到了 ' +
  '晚上好 家人们 笑死 我的天 老粉报到 今天 刚下班 有一说一 求求了 兄弟们 那个 我就知道 这也太 wow omg ' +
  'lmao chat GG bro wait honestly first no-way clutch hello'
).split(' ');
const middles = (
  '太厉害了 好听 名场面 泪目 也可以 绝了 节奏对了 开始了吗 稳住能赢 手速真快 画质好清楚 听哭了 我学会了 这就是实力 ' +
  '声音有点小 卡住了 又赢了 下次一定 加油加油 可以单曲循环 从哪里开始看 怎么做到的 再来一遍 太好笑了 这个bgm叫什么 ' +
  'that_was_insane so_clean run_it_back what_a_play this_song_slaps my_heart hits_different ' +
  'too_good_to_be_true from_the_beginning anyone_else_crying turn_it_up one_more_time'
).split(' ');
const tails =
  '！ ！！！ ～ 233 666 yyds 泪 了 啦 hhh ??? ... awsl 👏 😂 ❤️ 🔥 好耶 嘛 ww LUL o7 :) 1 真的'.split(
    ' ',
  );
const names = '夜雨 小満 阿北 mika 青柠 Leo 海盐 echo 十一 橙子 nova 山竹 fox 云起 kiki 木子'.split(
  ' ',
);
const colors = ['#ffffff', '#fe0302', '#ffff00', '#00cd00', '#00a2ff', '#e1a7c9'];

/** A danmaku as a studio posts it for one of its users; `data.bt` is set by the poster. */
export interface Said {
  readonly user: { readonly id: string; readonly name: string };
  readonly text: string;
  readonly style?: { readonly color: string };
}

export class Corpus {
  readonly #random: Random;
  readonly #users: number;

  /** The same seed says the same things; `users` is how many take part. */
  constructor(seed: number, users = 2000) {
    this.#random = seededRandom(seed);
    this.#users = users;
  }

  next(): Said {
    const user = this.#random.below(this.#users);
    const said = {
      user: { id: `u${10_000 + user}`, name: `${names[user % names.length]!}${user % 97}` },
      text: this.text(),
    };
    return this.#random.below(5) === 0 ? { ...said, style: { color: this.#pick(colors) } } : said;
  }

  /** Two to four phrases, 5-60 characters. */
  text(): string {
    const middle = this.#pick(middles);
    const more = this.#random.below(3) === 0 ? this.#pick(middles) : '';
    const text = `${this.#pick(openers)} ${middle}${more}${this.#pick(tails)}`;
    return text.replaceAll('_', ' ');
  }

  #pick<T>(of: readonly T[]): T {
    return of[this.#random.below(of.length)]!;
  }
}
