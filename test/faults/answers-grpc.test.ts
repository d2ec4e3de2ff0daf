import { describeAnswers } from './answers.ts';

describeAnswers('grpc');
