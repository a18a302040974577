//! A signature of each algorithm that is known to be right.
//!
//! They were made once, with a key for each kind of key, by the `cryptography`
//! package of Python; the private keys were thrown away at once. Each signs
//! the header `{"alg": "…"}` and empty claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::issuer::Algorithm;
use super::signature::PublicKey;

/// An algorithm and a token signed by it, with the key of its kind.
pub(super) struct KnownAnswer {
    pub(super) algorithm: Algorithm,
    pub(super) token: &'static str,
}

/// In the order of [`Algorithm::ALL`].
pub(super) static ALL: [KnownAnswer; 9] = [
    KnownAnswer::new(Algorithm::RS256, RS256),
    KnownAnswer::new(Algorithm::RS384, RS384),
    KnownAnswer::new(Algorithm::RS512, RS512),
    KnownAnswer::new(Algorithm::PS256, PS256),
    KnownAnswer::new(Algorithm::PS384, PS384),
    KnownAnswer::new(Algorithm::PS512, PS512),
    KnownAnswer::new(Algorithm::ES256, ES256),
    KnownAnswer::new(Algorithm::ES384, ES384),
    KnownAnswer::new(Algorithm::EdDSA, EDDSA),
];

impl KnownAnswer {
    const fn new(algorithm: Algorithm, token: &'static str) -> Self {
        Self { algorithm, token }
    }

    /// The key that made the signature.
    pub(super) fn public_key(&self) -> Option<PublicKey> {
        let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        match self.algorithm {
            Algorithm::ES256 => PublicKey::p256(&bytes(P256_X)?, &bytes(P256_Y)?),
            Algorithm::ES384 => PublicKey::p384(&bytes(P384_X)?, &bytes(P384_Y)?),
            Algorithm::EdDSA => PublicKey::ed25519(&bytes(ED25519)?),
            _ => PublicKey::rsa(bytes(MODULUS)?, vec![1, 0, 1]),
        }
    }

    /// What was signed, and the signature.
    pub(super) fn text_and_signature(&self) -> Option<(&'static str, Vec<u8>)> {
        let (text, signature) = self.token.rsplit_once('.')?;
        Some((text, URL_SAFE_NO_PAD.decode(signature).ok()?))
    }

    /// The answer with the other padding of RSA and the same hash function.
    pub(super) fn other_padding(&self) -> Option<&'static Self> {
        use Algorithm::{PS256, PS384, PS512, RS256, RS384, RS512};
        let other = match self.algorithm {
            RS256 => PS256,
            RS384 => PS384,
            RS512 => PS512,
            PS256 => RS256,
            PS384 => RS384,
            PS512 => RS512,
            Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA => return None,
        };
        ALL.iter().find(|answer| answer.algorithm == other)
    }
}

const MODULUS: &str = "\
    6kxQZnV4CRjL3J3ItyS_alQli59coz-8Hknx74NYm7MV8nn8Ou1l0NndgAFccAI_UtKd4Y-bondVMZgxCkrwm_\
    eecowTuL4m4dF_0BNtaC37d-bE5UEh5l-Pa72L-zLDR5Hym3quL5X6So12ptQjKzGAyFbHpzuMA96VY32RMuom\
    N3RlLxcwa4P5SszHYjgPz5cKEhSqihvv_wMXmNbyWWJMrTezMPftCHVMo4S6e5I2gDBWEGLPdbr1NAHkBPsysf\
    ObcXuJYZ11qdLr1b31URJ96CUcxpCEqj1JkYns2kzSGTDgGUPWgzOUR2rgbSGWrwZ0t1GiCIJ7Ta3EXeBecw";
const P256_X: &str = "\
    G90iFThYkUn3wa4TGbIG42Q6eB-1wVPwl6OwOX48F00";
const P256_Y: &str = "\
    OO55FAi2TkWJ97pyhuIpV5cRt1pbDJsX0Z6sSldxMVg";
const P384_X: &str = "\
    XBIpuimpCfOGNkXp48q7ctyU5mRfFq-POIRyTDNwXjOSxnrTyNFWk_rFsUHAc-mU";
const P384_Y: &str = "\
    J_po1GeRB1KyWZku_BISutSz70qhLqoETspgSq6vcUZbGp3vrQ_Nk_91sTgz64hC";
const ED25519: &str = "\
    pCzygY7s2JHXkB05_ldjCwujUOVAblPFqK53lAfjgnk";
const RS256: &str = "\
    eyJhbGciOiAiUlMyNTYifQ.e30.hWFi7GdRecTuEldT5mNnKsPkvEScEmleSMjKjiyfhmRM_OYW1gKJ-xNN6S1\
    xg5JfCAbi0RVxI_fhBN42zE5a5FfeyAdgSjkHh3xcKLJSNtSApzKd0S8P9lwfMTa0_iwJHMci-2JBLNnhn8Rug\
    qpoUc84rzWqmLBtd2J7nVayVYlAmwyHGw1l-sdKdHIFaOaZ4FimJ1g_V04pSiKBpLLX_zbKxZwjY1VX65co6zd\
    NXSB9yHCJNvpcgLM_NVrAVqL7UniV1dGh3li13gF6133Fm6FFVfdIyTUlOZtDzMr85FTyQASpfUycWSudFF3lr\
    YvZbgtblGDJkn8tZt69DOE51g";
const RS384: &str = "\
    eyJhbGciOiAiUlMzODQifQ.e30.rh0O3lo_3WTviUUShsKwEyjsUQUMuhe1Pfn0jPtwK-bLtRVUMn2OxtaE9B6\
    0jXzTtlfU44_g4JMStJ8yKiHQJCIdKgsg5NRc2VtUPhJ33XXEU_9F_a6_fQvQDi2uApoQjLcHZpmiJfPlQOtKO\
    Y77eblom2tfu3J6yMNm0eXIUubWfAFraVECbijL-yGkDkM95eX4lmbLhELJNF_sk9eiM6X1abQb8zj_goL784Q\
    gldeBMn78EfFjKBf8UkJdeTUBtdaBW14ocsABVMd5uODgz9Hps1P0A1lNsqE-o-fR46eeQQ4xpKTckthWHq_mu\
    R-X-G5opnv2d4wBi96lEttyig";
const RS512: &str = "\
    eyJhbGciOiAiUlM1MTIifQ.e30.ak5qE19pZr6gzuVO2RMJrm3wyXPcoVDa8_cbhHaAk7zYKsM0xKPtiAtPJ7O\
    JCjIsc9YcCxkDsi5m5oqYpPxQw97yzl82EW7wFnrq48TsZOtfnD_6TZ-izQ0l4aOrlDbkWai6htkVX-asUpzA0\
    Ri3NFC0-jJf2MGlJMF_cOH_Lrd_oC0P9TCGWZ9fT-cinUOSo-Md7GuNXe1cMaCewFvcjiOj3B3GIIsf7hx96hY\
    Ylt1Ne0cLW_OmW4Sp67XQg0NxwA-SPYIf1lGMCpmgxv7sxhEC5ovxcpawt4TL8HUevnigr1gpZN1Q6Qxuywvc9\
    J6mC_JcVRny4h2h0tVI5Z9A3g";
const PS256: &str = "\
    eyJhbGciOiAiUFMyNTYifQ.e30.hh3f2MvB_wzBZzFiQuDjmicC_WfMdtiSmpZElnyEG-HoBCdztRgbLUY0ZIV\
    TcmEj5aKWNbWI26Oy6Rsx4vqWuTJu4Rs3v63OZig3GvFYl4ye1kYNStgAbCI_71GHhxT-Xq735bQgTr6n8eaRb\
    kQgV2gxBl0WQXKvP78Z7u0ZU4VrsCyUv9xm6C1b9MD0gaby9Sty2UwOviqM9p5Ccr5B9TeLmeFOe90nNXwCo6h\
    xTn1nrCvodROU4Rh24YnCTMBDMKa5JQC4BdFa-r918rdTW7j2ru1f1xu39FynjKTMYJ0tRyqmkIrEK3wdCNdG4\
    sv1oQfv9IX4CVmfK-zn6CeXZg";
const PS384: &str = "\
    eyJhbGciOiAiUFMzODQifQ.e30.xr8ahqWdwWQPz2UwakjcjcFngk6u8FzcAOgzgxhYsAYnDAc1zx0caBSPFZz\
    IlPSIdc9P2tS51qtB9b3xQgA9QMbCpMNyXLaJmLbPA-m7b6fCZ8LuMVHYQvstQ_6XZBuumya-U7Uyo9HiVaY3T\
    ICosWkVyN3f9dNwMDp9gelgGLBW_5LyvnwohrrbUUfCAzA3VadHKVfL1ydfSo39MdTf47MKIUGDy-fj2z9X2zs\
    obgMgxQS7duF6Ms-VWjumtE0j6yMgQQctxjytV8vObvTTuaKL_0u0zs4IBlc82QtTpBpdKpaDLeCxbk_xDEGHs\
    Ch2rIm78ejknbvwHPCwkTMoug";
const PS512: &str = "\
    eyJhbGciOiAiUFM1MTIifQ.e30.ykUYiyIEKtIn9BmD3AQLHWqQJoUAdySb_NFQjDbi33buX9GXOHy60u0OYzs\
    wWIhyUb56kk_RSyYvMY2RQekqtYcI0zsRIqCisRPRDEBaGtYp4y9790wGRRe_6K-gAGzhDX-710cUdZmdDKsgc\
    cJYr_6zG7jC8unT0S36lNCcVOYG7g9UL2mbGV6hPFEqvkCmQ-cLPPcSn4us9fMGdMd8VEPmGr280Rik1OKzOfD\
    FZZDeVyyFOfnhUzzbTVx4jsv_nQUSlAIQyRgvjgl5rJp3C_9aFUPIGVyI8fgYYHLH_qK47IRyl_eNgIUhVbKkj\
    ld3tQL7AU2Qhq2NYmcDebLLXw";
const ES256: &str = "\
    eyJhbGciOiAiRVMyNTYifQ.e30.-0PYDFQ53tsUHK6FX0w2zF-E9KSroylcL5K4UWCJqnpEtQpXqKNzn2TZJMk\
    BcgdvqnwAoC13I7AGf-YXoqmn_w";
const ES384: &str = "\
    eyJhbGciOiAiRVMzODQifQ.e30.8SY70b-TGEwUO5Y2ioSwleWfhp-aVSEBJurAoCQ28VUehUAyJLDboHGfOhI\
    nlfxNMJiPEyGcWVuzYHQSYCFIe6Q9l5grF_-PjaOaTmbayC78uOwC8eDtROOH03qWkODk";
const EDDSA: &str = "\
    eyJhbGciOiAiRWREU0EifQ.e30.5jT3ktm7LP_nUfbK8yTk442jn53Nn_YcGuQ4NBsEa5DaJwfNvdfmHRvt7Ac\
    Mgiw0rLKvhKgGtAttfwqGs9D0Cw";
