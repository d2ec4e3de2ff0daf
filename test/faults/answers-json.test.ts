import { describeAnswers } from './answers.ts';

describeAnswers('http/json');
