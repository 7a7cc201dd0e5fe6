"""From numbers to an answer: familiarity, threshold, prediction, evaluation."""
