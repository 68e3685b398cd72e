"""What every timestamp head answers: the words of a clip with their times."""

import numpy as np

Word = tuple[str, float, float, float]  # text, start and end in seconds, confidence from 0 to 1


class TimestampHead:
    """Base of the timestamp_head slot; a constructor takes only its options (``timestamp_head_conf``)."""

    def words(self, loaded, audio: np.ndarray, language: str = "en") -> list[Word]:
        """Words spoken, in their order; times are seconds from the beginning of the clip.

        Args:
            loaded: the model, a LoadedModel.
            audio: (N,) float32 in ±1 at 16 kHz.
            language: code of the language spoken.
        """
        raise NotImplementedError
